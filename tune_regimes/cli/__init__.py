"""The command line: parsing, live display and printing; every command is a thin use of the floors below."""
