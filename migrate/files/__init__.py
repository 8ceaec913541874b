"""Files: found (discover), read (reading), written to a folder (write) or in place (journal)."""
