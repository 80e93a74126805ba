"""What the papers derive, on NumPy alone: ratios, spectra, norms, correlations, propositions."""
