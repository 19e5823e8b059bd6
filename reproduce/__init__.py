"""Makes the experiments: pictures, training, translation, tables, figures."""
