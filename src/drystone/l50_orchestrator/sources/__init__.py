"""What services are made of, sent from afar: pieces named by their content, and folders made of them."""
