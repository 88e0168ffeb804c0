"""The gateway: an OpenAI-compatible server that spends a budget over models and answers with what passed its tests.

One request goes this way:

    app            routes, errors in OpenAI's form; one factory for the gateway and the judge's service
    connections    timers on first byte and headers, a cap on connections, which uvicorn lacks
    keys           who asks; keys are kept hashed, their budgets beside them
    asked          the request's body, read once: messages, tests, budget, policy
    runner         plays the policy's `Stepper`: draws, judges, stops what is in flight at the first pass
    upstream       a model that samples are drawn from; an engine in this process
    served         a model behind a server, asked for several samples in one call where it takes that
    ledger         what may be spent: reserved at its most before a call, durably, and settled after it
    store          the ledger's rows in SQLite, append-only; many calls share one commit
    judging        a pool of judges of foreign tests, each at the service of one key at a time
    answers        what goes back: whole, or as a stream with heartbeats
    responses      OpenAI's responses as chats, text alone
    judge_service  verdicts over HTTP, for machines that cannot confine

Everything that waits is asynchronous; the judge and embedded engines block, and have threads of their own. The gateway
stands on top: only `api` and `cli` import it. Pure are `amounts`, `budgets`, `asked`, `responses`
and `answers`.

Not covered: TLS (a proxy in front does that), several processes on one ledger, images and audio.
"""
