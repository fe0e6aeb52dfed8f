"""Physics engines behind one protocol: many worlds of one model, stepped together."""
