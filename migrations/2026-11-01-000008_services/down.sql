drop table service_levels;
drop table service_agencies;
drop table service_statuses;
drop table services;
