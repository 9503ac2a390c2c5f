"""Measurements that take up to minutes, each one command that tells what it found."""
