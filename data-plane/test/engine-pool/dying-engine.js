// An engine process that cannot start.
process.exit(3);
