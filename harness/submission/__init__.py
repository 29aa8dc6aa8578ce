"""Results that travel: runs bundled by one lab, checked and taken in by another."""
