"""Pilotfish: ranks candidate models on live, unlabeled traffic."""
