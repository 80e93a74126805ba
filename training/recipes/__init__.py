"""Recipes: one file per training, told in its head; its `RECIPE` is what runs."""
