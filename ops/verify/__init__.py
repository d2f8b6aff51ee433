"""Whether a deployment stands and works: what is there beside what its templates, the cards and the settings ask for.

verification  the table of subjects, and all of them together
check         one check, and what comes of many
deployed      what is read once for all subjects: stacks, their templates, every resource compared with them
standing      resources that are not as their templates ask, by subject
stacks, queues, alarms, apis, certificates, quotas    what no template says
advice        the command that mends a difference
probe         a drawn race through the whole pipeline, found and erased
material      what the probe uploads
"""
