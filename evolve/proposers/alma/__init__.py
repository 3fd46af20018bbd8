"""ALMA's meta-agent as a proposer (arXiv 2602.07755): reflect, plan, implement, check, smoke-test, repair."""
