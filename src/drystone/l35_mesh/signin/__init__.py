"""Sign-in: staff by single sign-on, builds by tokens; the proxy verifies, and this issues what it verifies."""
