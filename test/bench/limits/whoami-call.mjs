// The least that Node and its HTTP/2 client need for the same call: start, connect with TLS, ask in
// JSON, end. Arguments: endpoint, CA file, token file.
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';

const [endpoint = '', caFile = '', tokenFile = ''] = process.argv.slice(2);
const session = connect(endpoint, { ca: readFileSync(caFile) });
const stream = session.request({
  ':method': 'POST',
  ':path': '/runmachine.identity.v1.IdentityService/WhoAmI',
  'content-type': 'application/json',
  authorization: `Bearer ${readFileSync(tokenFile, 'utf8')}`,
});
let text = '';
stream.setEncoding('utf8');
stream.on('data', (part) => {
  text += part;
});
stream.on('end', () => {
  session.close();
  console.log(JSON.parse(text).principal);
});
stream.end('{}');
