"""Proposers write designs. The genetic one needs no language model: it edits syntax trees made of building blocks."""
