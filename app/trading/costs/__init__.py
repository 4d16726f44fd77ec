"""What a trade costs in India's cash segment: one dated table and one calculation for all who ask."""
