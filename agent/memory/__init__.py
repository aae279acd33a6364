"""Long-term memory: customers over all their conversations, known only to those who prove to be them."""
