"""From what was typed or heard to what it means: pure functions, time as an argument."""
