"""A policy in environments: acting, success on test starts, randomised scenes, videos."""
