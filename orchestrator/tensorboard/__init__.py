"""TensorBoard on what versions of a job have written, also while they still write it."""

from orchestrator.tensorboard.board import Board, open_board, open_boards

__all__ = ["Board", "open_board", "open_boards"]
