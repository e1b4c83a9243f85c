"""What the data set `names` is made of: a lexicon, sentences, pictures, and the best score anybody can reach."""
