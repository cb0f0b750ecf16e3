"""What spans several parts: demo, bench, doctor."""
