"""Measurements that take minutes, each one command that writes what it found."""
