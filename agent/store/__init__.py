"""Where conversations are kept: the journal's homes and the vault of personal data."""
