/** Path of the method that the limit's server and client agree on. */
export const ECHO_PATH = '/bench.Echo/Echo';
