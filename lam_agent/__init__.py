"""lam_agent: adapt a visual-action policy to a stream of tasks and measure what it forgets."""

__all__ = ["__version__"]

__version__ = "0.1.0"
