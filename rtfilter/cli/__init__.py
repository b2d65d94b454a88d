"""The command line: parser, options, and one module a verb."""
