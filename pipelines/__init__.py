"""Folders, runs, processes and the command line: the only storey that knows them."""
