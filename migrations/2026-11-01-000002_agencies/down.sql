drop table agency_group_members;
drop table agency_groups;
drop table agency_successors;
drop table agencies;
