"""What a skorch net is and eats: estimators, data sets, batches, probabilities."""
