"""Event files of TensorBoard: followed as they grow, wherever they are."""
