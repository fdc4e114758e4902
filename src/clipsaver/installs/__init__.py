"""Installs: the way from our install button through Discord's consent page and back."""
