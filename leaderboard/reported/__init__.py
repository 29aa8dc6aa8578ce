"""What the papers print: tables as data, and what pages show of them."""
