"""The serving process: takes traffic in, hands samples to the scoring process, serves what that one found."""

import os

# uvloop starts the scoring process by fork and exec. gRPC has handlers for forks that do nothing for it, but
# write to standard error what is no record of the log. gRPC reads this when it is first imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
