drop table month_transitions;
drop table submission_transitions;
alter table submissions drop constraint submissions_accepted_revision_fkey;
drop table submission_revision_values;
drop function submission_revision_values_are_frozen();
drop table submission_revisions;
drop function submission_revisions_are_frozen();
drop table submission_values;
drop table submissions;
