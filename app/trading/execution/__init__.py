"""From wanted positions to orders to fills: sizing, broker adapters, the step that ties them."""
