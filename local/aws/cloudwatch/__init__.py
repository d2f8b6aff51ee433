"""CloudWatch as AWS has it, put into ministack: metrics by the minute, metric math, and alarms that go off.

ministack keeps alarms, their history, dashboards and the rules of composite alarms. What it lacks is here:

clock         its time, of which a minute may be shorter
statistics    what is kept of a minute's values, and the statistics of them
store         the metrics
series        time series, and arithmetic on them
metric_math   expressions, with math_functions
queries       metrics and expressions by their ids, as alarms and GetMetricData ask for them
evaluation    whether an alarm's data make it ring
suppression   whether a composite alarm keeps quiet
alarms        looks at all alarms, and tells their topics
requests      the operations about metrics, in all protocols (protocols)
installed     puts all this into ministack

What the services tell CloudWatch is in local/aws/metrics.
"""
