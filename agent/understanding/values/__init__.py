"""Kinds of values in a turn, one file each; `agent.understanding.entities` puts them together."""
