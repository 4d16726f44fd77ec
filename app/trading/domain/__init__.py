"""The core: values, order events and their state machine; pure, Decimal, no clock, no I/O."""
