"""Measures a running script: what it says in its log, its files and its calls, and what it uses of the machine."""
