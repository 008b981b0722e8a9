"""What an operator may change: settings, banks, the web server."""
