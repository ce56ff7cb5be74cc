/**
 * Silences fabric-shim's log, which tells of every decorator and of every refusal that a test
 * provokes. Import it first: the log level is read when the chaincode is loaded.
 */
process.env.CORE_CHAINCODE_LOGGING_LEVEL = 'CRITICAL';
