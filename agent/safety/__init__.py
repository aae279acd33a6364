"""What must not leak and must not be obeyed: personal data found, posed roles removed."""
