"""Language models: one gateway beside the driver through which every call passes, and the providers behind it."""
