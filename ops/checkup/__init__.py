"""The operator's routine: what is looked at each day, each week and each month, and what to do about it.

routine    which checks there are, and how they are carried out
daily      what is wrong now: alarms, dead letters, what waits, what yesterday cost
weekly     what grows wrong slowly: the deployment, logs, throttles, backups
monthly    what the next race needs: quotas, room for code, and who may do what
"""
