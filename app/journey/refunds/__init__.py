"""What was said about giving money back: promised, sent, received, missing. Nothing here moves money."""
