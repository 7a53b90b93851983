"""Runs the candidates' models, and limits how often a failing or busy server is asked."""
