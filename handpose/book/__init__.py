"""Support for the book's notebooks: figures, explorers, exercises."""
