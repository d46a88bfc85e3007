"""A second client of the Kenh sync protocol, version 1, written from the text in Protocol/ alone."""
