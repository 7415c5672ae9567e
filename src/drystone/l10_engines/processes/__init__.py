"""Operating-system processes that outlive the process that started them."""
